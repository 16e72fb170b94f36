mkdir -p h/s
echo 1 > h/a
ln h/a h/b
ln h/a h/s/c
chmod 2755 h/a
