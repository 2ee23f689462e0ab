# A .proto file without its wish for the lite runtime.
file(READ ${FROM} text)
string(REPLACE "option optimize_for = LITE_RUNTIME;\n" "" text "${text}")
file(WRITE ${TO} "${text}")
