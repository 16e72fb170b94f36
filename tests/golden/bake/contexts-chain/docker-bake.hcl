target "a" {}
target "b" {
  contexts = { a = "target:a" }
}
target "c" {
  contexts = { b = "target:b" }
}
