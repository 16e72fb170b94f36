mkdir -p s
echo f > s/a
echo g > s/b
echo p > s/p
