
# References that exist, asked of imgctl; everything else is completed as above.
_imgctl_live() {
    local found line
    if ! found=$(command imgctl __complete --word="$PREFIX" -- "${(@)words[1,CURRENT-1]}" 2> /dev/null < /dev/null); then
        _imgctl "$@"
        return
    fi
    # Those that more is to come after get no space.
    local -a whole whole_shown begun begun_shown
    for line in "${(@f)found}"; do
        [[ -n $line ]] || continue
        if [[ ${line%%$'\t'*} == *[:/] ]]; then
            begun+=("${line%%$'\t'*}")
            begun_shown+=("${line/$'\t'/  -- }")
        else
            whole+=("${line%%$'\t'*}")
            whole_shown+=("${line/$'\t'/  -- }")
        fi
    done
    local ret=1
    compadd -V imgctl-whole -l -d whole_shown -a whole && ret=0
    compadd -V imgctl-begun -l -S '' -d begun_shown -a begun && ret=0
    return ret
}

compdef _imgctl_live imgctl
if [ "$funcstack[1]" = "_imgctl" ]; then
    _imgctl_live "$@"
fi
