target "x" {
  contexts = { a = "./a", b = "./b" }
}
target "default" {
  inherits = ["x"]
  contexts = { a = "" }
}
