import DefaultTheme from "vitepress/theme"
import "./diagrams.css"
import "./reading.css"

export default DefaultTheme
