ln -s y links/x
