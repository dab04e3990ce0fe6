"""A scene becomes a measurement: point spread functions, blur, noise, picture files."""
