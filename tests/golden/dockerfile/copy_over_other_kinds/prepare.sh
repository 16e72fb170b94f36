mkdir -p t/a/b t/c
echo 1 > t/a/one
echo 2 > t/a/b/two
echo 3 > t/c/three
echo l > t/a/x.log
mkdir -p d/x d2
echo 1 > d/y
mkdir -p d2/x
echo new > d2/y
chmod 0700 d2/x
