mkdir d
mkdir -p t/a/b t/c
echo 1 > t/a/one
echo 2 > t/a/b/two
echo 3 > t/c/three
echo l > t/a/x.log
ln -s t/a/one l1
ln -s t/a ld
ln -s ../t d/up
ln -s l1 l2
echo 9 > dangling
ln -s nowhere d/dang
ln -s /t/c/three abs
