target "default" {
  no-cache = null
  target = null
  tags = null
  context = null
}
