mkdir -p t/a/b t/c
echo 1 > t/a/one
echo 2 > t/a/b/two
echo 3 > t/c/three
echo l > t/a/x.log
