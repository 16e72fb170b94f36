mkdir -p in/d
echo f > in/f
chmod 2751 in/d
chown 21:22 in/d
echo g > in/d/g
ln in/f in/h
ln -s f in/s
ln -s /etc/passwd in/abs
tar --mtime=@1000 -cf p.tar in
tar --mtime=@1000 -czf p.tar.gz in/f
tar --mtime=@1000 -C in -czf p.tgz d
tar --mtime=@1000 --transform=s,in,b, -cjf p.tar.bz2 in
tar --mtime=@1000 --transform=s,in,x, -cJf p.tar.xz in
tar --mtime=@1000 --transform=s,in,z, --zstd -cf p.tar.zst in
tar -cf empty.tar -T /dev/null
rm -r in
