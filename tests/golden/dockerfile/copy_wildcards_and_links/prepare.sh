mkdir c
echo 1 > c/f
ln -s f c/self
ln c/f c/hard
ln -s hard c/tohard
echo 2 > c/alone
ln -s alone c/to
ln -s alone c/to2
