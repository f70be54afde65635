"""SIP without I/O: codec, transactions, dialogs. Bytes and `now` come in; bytes, deadlines and events go out."""
