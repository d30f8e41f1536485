export function Logo({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0f6b63" />
      <path
        d="M9 21.5c-2.6-3.6-1.2-9.4 3.4-11.6 4.3-2 7.2.9 9.8 2.7 2.8 1.9 3 6.8-.2 9.3-3.7 2.9-10.3 3.3-13-.4Z"
        fill="#8ff0e0"
      />
      <circle cx="15.5" cy="16" r="3" fill="#0f6b63" />
    </svg>
  );
}
