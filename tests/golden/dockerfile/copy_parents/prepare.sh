chmod 0700 a/b
