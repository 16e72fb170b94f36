chmod 0000 locked
chmod 2775 dir
chmod 6755 dir/run
chmod 1777 .
mkdir empty
chmod 0500 empty
chown 9:9 locked
