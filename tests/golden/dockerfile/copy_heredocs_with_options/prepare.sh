mkdir t
echo > t/one
