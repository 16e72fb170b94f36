head -c 2500000 /dev/zero > big
echo tail >> big
truncate -s 4M big
