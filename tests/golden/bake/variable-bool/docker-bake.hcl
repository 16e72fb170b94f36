variable "PUSH" {
  default = false
}
target "default" {
  output = [PUSH ? "type=registry" : "type=docker"]
}
