target "default" {
  args = { A = 1 + 2 * 3, B = (1 + 2) * 3, C = 7 / 2, D = 7 % 3, E = -3 + 1, F = !false && (true || false), G = 1 < 2, H = 2 >= 2, I = "a" == "a", J = 1 != 2 }
}
