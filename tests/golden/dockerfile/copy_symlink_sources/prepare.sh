ln -s target link
ln -s folder folderlink
ln -s real tree/relative
ln -s /etc/passwd tree/absolute
ln -s nowhere tree/dangling
