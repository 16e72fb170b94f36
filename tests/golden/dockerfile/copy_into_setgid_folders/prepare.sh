mkdir -p t/a
echo 1 > t/a/one
tar --mtime=@0 -cf p.tar t
chmod 2750 t/a
