chmod 0600 dir/f
chmod 0700 dir/sub
