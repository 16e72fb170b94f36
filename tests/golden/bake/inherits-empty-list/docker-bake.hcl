target "a" {
  tags = ["x"]
  cache-to = ["type=inline"]
  output = ["type=docker"]
}
target "default" {
  inherits = ["a"]
  tags = []
  cache-to = []
  output = []
}
