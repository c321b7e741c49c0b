
# References that exist, asked of imgctl; everything else is completed as above.
Register-ArgumentCompleter -Native -CommandName 'imgctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text })
    $found = & imgctl __complete "--word=$wordToComplete" -- @before 2> $null
    if ($LASTEXITCODE -ne 0) {
        return & $global:ImgctlStatic $wordToComplete $commandAst $cursorPosition
    }
    $found | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if (-not $about) { $about = $word }
        [CompletionResult]::new($word, $word, [CompletionResultType]::ParameterValue, $about)
    }
}
