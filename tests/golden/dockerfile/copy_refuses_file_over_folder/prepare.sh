mkdir s
echo f > s/a
