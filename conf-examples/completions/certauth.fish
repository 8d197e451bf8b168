# fish completion of certauth; installed as share/fish/vendor_completions.d/certauth.fish
complete -c certauth -a '(certauth complete (commandline -opc)[2..-1] 2>/dev/null)'
