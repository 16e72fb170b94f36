target "default" {
  output = ["out", "-", "type=tar,dest=x.tar", "type=cacheonly"]
}
