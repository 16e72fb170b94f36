target "app" {
  tags = ["a"]
}
target "b" {
  output = ["type=image,name=x"]
}
