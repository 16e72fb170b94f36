chmod 4644 setuid
