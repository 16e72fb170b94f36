target "app" {
  tags = ["a"]
}
target "b" {
  output = ["type=local,dest=x"]
}
