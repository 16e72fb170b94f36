mkdir -p t/u
echo 1 > t/a
echo 2 > t/u/b
