-- Hands a link to kassa_link.py. `quoted form` keeps whatever is in it one word of the command.
on open location theLink
	do shell script "/usr/bin/python3 /usr/local/bin/kassa_link.py " & quoted form of theLink & " >/dev/null 2>&1 &"
end open location
