python3 -c '
import os, struct
os.setxattr("tree/capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
os.setxattr("tree/plain", "user.note", b"hello")
os.setxattr("tree", "user.folder", b"yes")'
