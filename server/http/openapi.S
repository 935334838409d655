/* openapi.yaml as bytes of the program: nothing to install, nothing to find at run time. */
    .section .rodata
    .global openapi_text
    .global openapi_text_end
openapi_text:
    .incbin OPENAPI_FILE
openapi_text_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
