mkdir -p in/data/sub/deep in/opt
echo replaced > in/data/old
echo more > in/data/sub/deep/more
chmod 0711 in/opt
tar --sort=name -C in -cf new.tar data opt
rm -r in
mkdir in
ln -s /etc in/conf
ln -s ../opt in/sideways
tar -C in -cf links.tar conf sideways
rm -r in
