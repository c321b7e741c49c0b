
# References that exist, asked of imgctl; everything else is completed as above.
_imgctl_live() {
    # Bash has split the words at colons, so they are taken from the line itself.
    local line=${COMP_LINE:0:COMP_POINT} word="" found
    local -a words
    read -ra words <<< "$line"
    if [[ $line == *[![:space:]] ]]; then
        word=${words[${#words[@]} - 1]}
        unset "words[${#words[@]} - 1]"
    fi
    if ! found=$(command imgctl __complete --word="$word" -- "${words[@]}" 2> /dev/null < /dev/null); then
        _imgctl "$@"
        return
    fi
    compopt +o default +o bashdefault 2> /dev/null
    # What stands before the last of these stays as it is; only the rest is replaced.
    local breaks="" sign kept="" candidate
    for sign in : = @; do
        [[ $COMP_WORDBREAKS == *"$sign"* ]] && breaks+=$sign
    done
    [[ -n $breaks ]] && kept=${word%"${word##*[$breaks]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        [[ -n $candidate ]] && COMPREPLY+=("${candidate#"$kept"}")
        # More is to come after these.
        [[ $candidate == *[:/] ]] && compopt -o nospace 2> /dev/null
    done <<< "$found"
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _imgctl_live -o nosort -o bashdefault -o default imgctl
else
    complete -F _imgctl_live -o bashdefault -o default imgctl
fi
