mkdir .hidden
echo 1 > .hidden/f
echo 2 > .hidf
echo 3 > vis
