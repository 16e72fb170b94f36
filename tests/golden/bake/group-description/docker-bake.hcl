group "g" {
  description = "some <things>"
  targets = ["a"]
}
target "a" {
  description = "a & b"
}
