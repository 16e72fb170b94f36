ln -s nowhere/d dangling
