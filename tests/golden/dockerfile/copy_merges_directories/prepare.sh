chmod 0750 dir dir/sub
