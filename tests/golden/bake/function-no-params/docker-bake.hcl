function "now" {
  params = []
  result = "fixed"
}
target "default" {
  tags = ["x:${now()}"]
}
