mkdir -p in/folder
echo file > in/folder/file
echo private > in/private
chmod 0640 in/private
chown 11:12 in/private
ln in/private in/hard
ln -s folder/file in/link
mkfifo in/pipe
pack() { tar --sort=name --mtime=@0 --format=gnu -C in -c "$@" .; }
pack > plain.tar
pack | gzip -n > packed.tar.gz
tar -C in -c --transform='s,^,b/,' folder | bzip2 > packed.tar.bz2
tar -C in -c --transform='s,^,x/,' folder | xz > packed.tar.xz
pack | zstd -q > packed.tar.zst
cp packed.tar.gz misnamed.txt
echo only compressed | gzip -n > single.gz
rm -r in
