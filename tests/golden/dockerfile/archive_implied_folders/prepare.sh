mkdir -p a/b && echo x > a/b/c && tar --owner=0 --group=0 --mtime=@0 -cf implied.tar a/b/c && rm -r a
printf '\135\0\0no archive' > lzma.tar.lzma
