target "a" {
  network = "host"
}
target "b" {
  contexts = { a = "target:a" }
}
