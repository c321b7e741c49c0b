
# References that exist, asked of imgctl; everything else is completed as above.
function __imgctl_live
    set -g __imgctl_found (command imgctl __complete --word=(commandline -ct | string collect) -- (commandline -opc) 2>/dev/null </dev/null)
end
complete -c imgctl -n __imgctl_live -f -k -a '$__imgctl_found'
for flag in region profile
    complete -c imgctl -n __imgctl_live -l $flag -x -k -a '$__imgctl_found'
end
