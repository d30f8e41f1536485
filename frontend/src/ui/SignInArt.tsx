/** A few overlapping masks with their clicks, as a quiet picture. */
export function SignInArt() {
  return (
    <svg viewBox="0 0 700 800" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      <defs>
        <pattern id="dots" width="26" height="26" patternUnits="userSpaceOnUse">
          <circle cx="2" cy="2" r="1.4" fill="#ffffff" fillOpacity="0.1" />
        </pattern>
      </defs>
      <rect width="700" height="800" fill="url(#dots)" />
      <path
        d="M140 330c-60-90 10-210 130-220 90-8 110 50 190 60 100 14 150 90 100 180-40 72-120 60-190 90-90 38-180-40-230-110Z"
        fill="#56b4e9"
        fillOpacity="0.28"
        stroke="#8fd0f5"
        strokeWidth="2.5"
      />
      <path
        d="M330 250c50-30 110 0 130 50 22 54-14 112-80 116-62 4-112-40-106-92 3-32 26-56 56-74Z"
        fill="#40e0d0"
        fillOpacity="0.42"
        stroke="#7ff5e8"
        strokeWidth="2.5"
      />
      <path
        d="M470 500c44-12 92 18 98 66 6 50-36 84-86 78-48-6-82-44-72-88 6-28 30-48 60-56Z"
        fill="#e69f00"
        fillOpacity="0.3"
        stroke="#ffc857"
        strokeWidth="2.5"
        strokeDasharray="7 6"
      />
      <g stroke="#ffffff" strokeWidth="3" strokeLinecap="round">
        <circle cx="372" cy="330" r="13" fill="#12a150" />
        <path d="M366 330h12M372 324v12" />
        <circle cx="486" cy="236" r="13" fill="#d4351c" />
        <path d="M480 236h12" />
      </g>
    </svg>
  );
}
