# embed_assets(TARGET DIRECTORY): the files of DIRECTORY in TARGET, see assets.h.
# A page's "@NAME@" becomes "/HASH/NAME". Scripts go without their indentation
# and their comments, a quarter of their bytes: those that are whole lines, or
# stand behind the last ";" or "{" of a line without another quote. Nothing else
# is changed, so no text of ours may span lines.
function(embed_assets target directory)
  file(GLOB files CONFIGURE_DEPENDS ${directory}/*)
  list(SORT files)
  set(types
    html text/html css text/css js text/javascript txt text/plain
    svg image/svg+xml png image/png ico image/x-icon json application/json
    webmanifest application/manifest+json)
  set(where ${CMAKE_CURRENT_BINARY_DIR}/assets)
  set(names "")
  set(hashes "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    if(NOT name MATCHES "\\.html$")
      file(SHA256 ${file} hash)
      list(APPEND names ${name})
      list(APPEND hashes ${hash})
    endif()
  endforeach()
  string(SHA256 hash "${names};${hashes}")
  string(SUBSTRING ${hash} 0 12 hash)
  set(externs "")
  set(rows "")
  set(incbins "")
  set(index 0)
  foreach(file ${files})
    get_filename_component(name ${file} NAME)
    string(REGEX MATCH "[^.]+$" extension ${name})
    list(FIND types ${extension} at)
    if(at EQUAL -1)
      message(FATAL_ERROR "${file}: no type is known for .${extension}")
    endif()
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
    string(REGEX REPLACE "^text/.*" "\\0; charset=utf-8" type ${type})
    set(embedded ${file})
    set(page false)
    if(extension STREQUAL html)
      set(page true)
      set(embedded ${where}/${name})
      file(READ ${file} text)
      foreach(other IN LISTS names)
        string(REPLACE "@${other}@" "/${hash}/${other}" text "${text}")
      endforeach()
      file(WRITE ${embedded}.new "${text}")
      configure_file(${embedded}.new ${embedded} COPYONLY)
    endif()
    if(extension STREQUAL js)
      set(embedded ${where}/${name})
      file(READ ${file} text)
      string(REGEX REPLACE "\n[\t ]+" "\n" text "${text}")
      string(REGEX REPLACE "\n//[^\n]*" "" text "${text}")
      string(REGEX REPLACE "([;{]) // [^\n'\"`]*\n" "\\1\n" text "${text}")
      string(REGEX REPLACE "\n\n+" "\n" text "${text}")
      file(WRITE ${embedded}.new "${text}")
      configure_file(${embedded}.new ${embedded} COPYONLY)
    endif()
    file(SHA256 ${embedded} etag)
    string(SUBSTRING ${etag} 0 16 etag)
    string(APPEND externs
      "extern const char asset_${index}[], asset_${index}_end[];\n")
    string(APPEND rows "\t{\"${name}\", \"${type}\", "
      "\"\\\"${etag}\\\"\", ${page}, asset_${index}, asset_${index}_end},\n")
    string(APPEND incbins "\t\"asset_${index}: .incbin \\\"${embedded}\\\"\\n\"\n"
      "\t\"asset_${index}_end: .byte 0\\n\"\n"
      "\t\".globl asset_${index}, asset_${index}_end\\n\"\n")
    list(APPEND sources ${embedded})
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${where}/assets_table.h CONTENT "__asm__(
\t\".pushsection .rodata\\n\"
${incbins}\t\".popsection\\n\");
${externs}
#define ASSETS_HASH \"${hash}\"

static const struct embedded embedded[] = {
${rows}};
" @ONLY)
  set_source_files_properties(io/assets.c PROPERTIES
    OBJECT_DEPENDS "${sources};${where}/assets_table.h")
  target_include_directories(${target} PRIVATE ${where})
endfunction()
