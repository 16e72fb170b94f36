variable "J" {
  default = "{\"a\": [1, {\"b\": true}]}"
}
target "default" {
  args = { A = jsondecode(J).a[0], B = jsondecode(J).a[1].b, C = jsonencode({ x = [1, null] }) }
}
