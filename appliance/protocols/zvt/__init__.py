"""ZVT: the card-terminal protocol of Germany, Austria and Switzerland, without I/O.

Source: ECR interface ZVT, PA00P015 13.08 (commands) and PA00P016 04 (transport).

- framing.py  bytes of a line <-> APDUs: SerialLink, TcpLink
- apdu.py     class, instruction, length
- bmp.py, tlv.py  fields of an APDU
- commands.py till -> terminal; answers.py terminal -> till
- messages.py decode(bytes) -> message; redact(bytes) for traces
- pan.py      card numbers, masked before anything else sees them
- results.py  result codes in words and as the counter's codes
"""
