mkdir -p t/a
echo 1 > t/a/one
echo 1 > 'a b'
