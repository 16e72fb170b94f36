target "default" {
  tags = ["x"]
}
