mkdir -p t/a t/c
echo 1 > t/a/one
echo 3 > t/c/three
echo 4 > t/c/four
